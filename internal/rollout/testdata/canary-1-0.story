# a canary where there is no room above
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 0}: at least 3 healthy, at most 3 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    upgrade: launch b0
   1s  a:HHH b:r                
   2s  a:HHH b:H                upgrade: kill a2
   3s  a:HH b:H                 

in the end: a:HH b:H
