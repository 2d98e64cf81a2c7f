# the unhealthy one goes first
# 4 instances, {minimumHealthCapacity: 0.5, maximumOverCapacity: 0}: at least 2 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:rHHH                   upgrade: kill a0
   1s  a:HHH                    upgrade: kill a3; upgrade: launch b0
   2s  a:HH b:r                 upgrade: launch b1
   3s  a:HH b:Hr                upgrade: kill a2
   4s  a:H b:HH                 upgrade: kill a1; upgrade: launch b2
   5s  b:HHr                    scale: launch b3
   6s  b:HHHr                   
   7s  b:HHHH                   

in the end: b:HHHH
