# an upgrade at the limit that may leave a gap
# 4 instances, {minimumHealthCapacity: 0.5, maximumOverCapacity: 0}: at least 2 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost
# q waits for a quota of 4 tasks

   0s  a:HHHH                   upgrade: kill a3 a2
   1s  a:HH                     upgrade: launch b0 b1
   2s  a:HH b:rr                
   3s  a:HH b:HH                upgrade: kill a1 a0
   4s  b:HH                     scale: launch b2 b3
   5s  b:HHrr                   
   6s  b:HHHH                   

in the end: b:HHHH
