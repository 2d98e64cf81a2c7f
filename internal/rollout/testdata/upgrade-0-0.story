# all old ones stop first
# 4 instances, {minimumHealthCapacity: 0, maximumOverCapacity: 0}: at least 0 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHH                   upgrade: kill a3 a2 a1 a0
   1s                           deploy: launch b0 b1 b2 b3
   2s  b:rrrr                   
   3s  b:HHHH                   

in the end: b:HHHH
