# half the capacity stays, a quarter is added
# 4 instances, {minimumHealthCapacity: 0.5, maximumOverCapacity: 0.25}: at least 2 healthy, at most 5 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHH                   upgrade: kill a3 a2; upgrade: launch b0
   1s  a:HH b:r                 upgrade: launch b1 b2
   2s  a:HH b:Hrr               upgrade: kill a1
   3s  a:H b:HHH                upgrade: kill a0; upgrade: launch b3
   4s  b:HHHr                   
   5s  b:HHHH                   

in the end: b:HHHH
