# an upgrade at the limit waits, until there is more
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost
# q waits for a quota of 3 tasks

   0s  a:HHH                    upgrade: launch b0 b1 b2
   1s  a:HHH b:qqq              
   2s  a:HHH b:qqq              
   3s  a:HHH b:qqq              
   4s  a:HHH b:qqq              
   5s  a:HHH b:qqq              
   6s  a:HHH b:qqq              
   7s  a:HHH b:rqq              
   8s  a:HHH b:Hqq              upgrade: kill a2
   9s  a:HH b:Hrq               
  10s  a:HH b:HHq               upgrade: kill a1
  11s  a:H b:HHr                
  12s  a:H b:HHH                upgrade: kill a0
  13s  b:HHH                    

in the end: b:HHH
