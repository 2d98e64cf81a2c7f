# an upgrade that also asks for more
# 5 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 0}: at least 5 healthy, at most 5 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HH                     upgrade: launch b0 b1 b2
   1s  a:HH b:rrr               
   2s  a:HH b:HHH               upgrade: launch b3
   3s  a:HH b:HHHr              
   4s  a:HH b:HHHH              upgrade: kill a1
   5s  a:H b:HHHH               upgrade: launch b4
   6s  a:H b:HHHHr              
   7s  a:H b:HHHHH              upgrade: kill a0
   8s  b:HHHHH                  

in the end: b:HHHHH
