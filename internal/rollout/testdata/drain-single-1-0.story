# a single instance that may not be missing has its successor first, too
# 1 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 0}: at least 1 healthy, at most 1 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:H                      
   1s  a:H                      scale: launch a1
   2s  a:Hr                     
   3s  a:HH                     
   3s  a:xH                     evicted: a0
   4s  a:H                      

in the end: a:H
