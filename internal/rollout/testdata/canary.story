# two new ones of five, until somebody says more
# 5 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 5 healthy, at most 10 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHHH                  upgrade: launch b0 b1
   1s  a:HHHHH b:rr             
   2s  a:HHHHH b:HH             upgrade: kill a4 a3
   3s  a:HHH b:HH               
   4s  a:HHH b:HH               
   5s  a:HHH b:HH               
   6s  a:HHH b:HH               upgrade: launch b2 b3
   7s  a:HHH b:HHrr             
   8s  a:HHH b:HHHH             upgrade: kill a2 a1
   9s  a:H b:HHHH               
  10s  a:H b:HHHH               
  11s  a:H b:HHHH               
  12s  a:H b:HHHH               upgrade: launch b4
  13s  a:H b:HHHHr              
  14s  a:H b:HHHHH              upgrade: kill a0
  15s  b:HHHHH                  

in the end: b:HHHHH
