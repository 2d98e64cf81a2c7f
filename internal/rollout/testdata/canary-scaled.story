# scaling while the canary waits is scaling of the old
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    upgrade: launch b0
   1s  a:HHH b:r                
   2s  a:HHH b:H                upgrade: kill a2
   3s  a:HH b:H                 
   4s  a:HH b:H                 
   5s  a:HH b:H                 restore a2 a3
   6s  a:HHrr b:H               
   7s  a:HHHH b:H               
   8s  a:HHHH b:H               
   9s  a:HHHH b:H               upgrade: kill a3 a2 a1
  10s  a:H b:H                  

in the end: a:H b:H
