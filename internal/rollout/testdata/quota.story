# a quota of three: two wait at a time, and get in when it grows
# 6 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 6 healthy, at most 12 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost
# q waits for a quota of 3 tasks

   0s                           deploy: launch a0 a1
   1s  a:rr                     scale: launch a2 a3
   2s  a:HHrq                   scale: launch a4
   3s  a:HHHqq                  
   4s  a:HHHqq                  
   5s  a:HHHqq                  
   6s  a:HHHqq                  
   7s  a:HHHrr                  scale: launch a5
   8s  a:HHHHHr                 
   9s  a:HHHHHH                 

in the end: a:HHHHHH
