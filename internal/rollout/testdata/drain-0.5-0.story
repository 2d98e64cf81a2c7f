# half may be missing: no successor comes first
# 4 instances, {minimumHealthCapacity: 0.5, maximumOverCapacity: 0}: at least 2 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHH                   
   1s  a:HHHH                   
   1s  a:xHHH                   evicted: a0
   2s  a:HHH                    scale: launch a0
   2s  a:HHxs                   evicted: a3
   3s  a:HHr                    scale: launch a3
   4s  a:HHHr                   
   5s  a:HHHH                   

in the end: a:HHHH
