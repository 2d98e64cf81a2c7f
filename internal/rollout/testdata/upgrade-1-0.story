# no room above, no loss below: one instance more is allowed
# 4 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 0}: at least 4 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHH                   upgrade: launch b0
   1s  a:HHHH b:r               
   2s  a:HHHH b:H               upgrade: kill a3
   3s  a:HHH b:H                upgrade: launch b1
   4s  a:HHH b:Hr               
   5s  a:HHH b:HH               upgrade: kill a2
   6s  a:HH b:HH                upgrade: launch b2
   7s  a:HH b:HHr               
   8s  a:HH b:HHH               upgrade: kill a1
   9s  a:H b:HHH                upgrade: launch b3
  10s  a:H b:HHHr               
  11s  a:H b:HHHH               upgrade: kill a0
  12s  b:HHHH                   

in the end: b:HHHH
