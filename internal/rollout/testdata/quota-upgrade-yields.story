# an upgrade at the limit that makes room for itself
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost
# q waits for a quota of 3 tasks

   0s  a:HHH                    upgrade: launch b0 b1 b2
   1s  a:HHH b:qqq              upgrade: kill a2
   2s  a:HH b:rqq               
   3s  a:HH b:Hqq               upgrade: kill a1
   4s  a:H b:Hrq                
   5s  a:H b:HHq                upgrade: kill a0
   6s  b:HHr                    
   7s  b:HHH                    

in the end: b:HHH
