# a node does not answer: its task keeps its place for a while, then it is replaced
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    
   1s  a:HHH                    
   2s  a:HuH                    
   3s  a:HuH                    
   4s  a:HlH                    scale: launch a3
   5s  a:HlHr                   
   6s  a:HlHH                   

in the end: a:HlHH
