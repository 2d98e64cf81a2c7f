# a single instance never overlaps with its successor
# 1 instances, {minimumHealthCapacity: 0, maximumOverCapacity: 0}: at least 0 healthy, at most 1 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:H                      upgrade: kill a0
   1s                           deploy: launch b0
   2s  b:r                      
   3s  b:H                      

in the end: b:H
