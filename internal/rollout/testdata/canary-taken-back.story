# the canary does not sing: none of the new is to be
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    upgrade: launch b0
   1s  a:HHH b:r                
   2s  a:HHH b:H                upgrade: kill a2
   3s  a:HH b:H                 
   4s  a:HH b:H                 
   5s  a:HH b:H                 restore a2
   6s  a:HHr b:H                
   7s  a:HHH b:H                upgrade: kill b0
   8s  a:HHH                    

in the end: a:HHH
