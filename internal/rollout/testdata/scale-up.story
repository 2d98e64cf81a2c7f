# from two to five: none restarts
# 5 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 5 healthy, at most 10 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HH                     scale: launch a2 a3 a4
   1s  a:HHrrr                  
   2s  a:HHHHH                  

in the end: a:HHHHH
