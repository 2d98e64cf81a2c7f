# an upgrade that also asks for fewer
# 2 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 2 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHHH                  upgrade: kill a4 a3 a2
   1s  a:HH                     upgrade: launch b0 b1
   2s  a:HH b:rr                
   3s  a:HH b:HH                upgrade: kill a1 a0
   4s  b:HH                     

in the end: b:HH
