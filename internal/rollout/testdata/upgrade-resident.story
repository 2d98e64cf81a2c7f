# residents can't run beside their successors: one goes first
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 0}: at least 3 healthy, at most 3 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    upgrade: kill a2
   1s  a:HH                     upgrade: launch b2
   2s  a:HH b:r                 
   3s  a:HH b:H                 upgrade: kill a1
   4s  a:H b:H                  upgrade: launch b1
   5s  a:H b:Hr                 
   6s  a:H b:HH                 upgrade: kill a0
   7s  b:HH                     scale: launch b0
   8s  b:HHr                    
   9s  b:HHH                    

in the end: b:HHH
