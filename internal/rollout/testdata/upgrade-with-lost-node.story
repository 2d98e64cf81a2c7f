# a node is lost in the middle of an upgrade
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 0.34}: at least 3 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    upgrade: launch b0
   1s  a:HHH b:r                
   2s  a:HHH b:H                upgrade: kill a2
   3s  a:Hu b:H                 upgrade: launch b1
   4s  a:Hu b:Hu                
   5s  a:Hl b:Hl                upgrade: launch b2 b3
   6s  a:Hl b:Hlrr              
   7s  a:Hl b:HlHH              upgrade: kill a0
   8s  a:l b:HlHH               

in the end: a:l b:HlHH
