# from five to two: the youngest go
# 2 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 2 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHHH                  scale: kill a4 a3 a2
   1s  a:HH                     

in the end: a:HH
