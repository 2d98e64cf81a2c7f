# a node with two of four is drained: each has its successor first
# 4 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 0}: at least 4 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHH                   
   1s  a:HHHH                   scale: launch a4
   2s  a:HHHHr                  
   3s  a:HHHHH                  
   3s  a:xHHHH                  evicted: a0
   4s  a:HHHH                   scale: launch a0
   5s  a:HHHHr                  
   6s  a:HHHHH                  
   6s  a:HHxHH                  evicted: a3
   7s  a:HHHH                   

in the end: a:HHHH
