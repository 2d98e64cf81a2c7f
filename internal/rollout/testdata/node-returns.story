# a node returns in time: nothing happens
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    
   1s  a:HHH                    
   2s  a:HuH                    
   3s  a:HrH                    
   4s  a:HHH                    

in the end: a:HHH
