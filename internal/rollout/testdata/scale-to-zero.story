# from three to none
# 0 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 0 healthy, at most 0 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    scale: kill a2 a1 a0
   1s                           

in the end: 
