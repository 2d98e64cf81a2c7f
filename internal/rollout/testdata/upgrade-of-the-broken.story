# no old instance is healthy, and there is no room: Marathon would wait for ever
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 0}: at least 3 healthy, at most 3 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:rrr                    upgrade: kill a2
   1s  a:rr                     upgrade: launch b0
   2s  a:rr b:r                 
   3s  a:rr b:H                 upgrade: kill a1
   4s  a:r b:H                  upgrade: launch b1
   5s  a:r b:Hr                 
   6s  a:r b:HH                 upgrade: kill a0
   7s  b:HH                     scale: launch b2
   8s  b:HHr                    
   9s  b:HHH                    

in the end: b:HHH
