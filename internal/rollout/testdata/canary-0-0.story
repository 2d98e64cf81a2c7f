# a canary that may leave a gap
# 4 instances, {minimumHealthCapacity: 0, maximumOverCapacity: 0}: at least 0 healthy, at most 4 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHHH                   upgrade: kill a3
   1s  a:HHH                    upgrade: launch b0
   2s  a:HHH b:r                
   3s  a:HHH b:H                

in the end: a:HHH b:H
