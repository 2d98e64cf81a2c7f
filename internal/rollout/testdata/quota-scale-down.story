# those that wait go first
# 5 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 5 healthy, at most 10 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost
# q waits for a quota of 3 tasks

   0s                           deploy: launch a0 a1 a2 a3 a4
   1s  a:rrrqq                  
   2s  a:HHHqq                  
   3s  a:HHHqq                  
   4s  a:HHHqq                  scale: kill a4 a3
   5s  a:HHH                    

in the end: a:HHH
