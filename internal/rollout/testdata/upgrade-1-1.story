# the default upgrade: a second set, then one old for one new
# 4 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 4 healthy, at most 8 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHH                   upgrade: launch b0 b1 b2 b3
   1s  a:HHHH b:rrrr            
   2s  a:HHHH b:HHHH            upgrade: kill a3 a2 a1 a0
   3s  b:HHHH                   

in the end: b:HHHH
