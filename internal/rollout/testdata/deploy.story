# a new app of three instances
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s                           deploy: launch a0 a1 a2
   1s  a:rrr                    
   2s  a:HHH                    

in the end: a:HHH
