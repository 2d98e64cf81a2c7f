# a node returns after its task was replaced: the youngest of too many goes
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    
   1s  a:HHH                    
   2s  a:HuH                    
   3s  a:HuH                    
   4s  a:HlH                    scale: launch a3
   5s  a:HlHr                   
   6s  a:HlHH                   
   7s  a:HrHH                   scale: kill a3
   8s  a:HHH                    

in the end: a:HHH
