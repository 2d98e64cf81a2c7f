# an old one ends while the canary waits: it is restored
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    upgrade: launch b0
   1s  a:HHH b:r                
   2s  a:HHH b:H                upgrade: kill a2
   3s  a:HH b:H                 
   4s  a:HH b:H                 
   5s  a:He b:H                 recover: kill a1
   6s  a:H b:H                  restore a1
   7s  a:Hr b:H                 
   8s  a:HH b:H                 

in the end: a:HH b:H
