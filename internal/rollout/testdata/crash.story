# a task that ends at once is relaunched, later and later
# 1 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 1 healthy, at most 2 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s                           deploy: launch a0
   1s  a:f                      wait 1s
   2s  a:f                      recover: kill a0
   3s                           deploy: launch a0
   4s  a:f                      wait 1.15s
   5s  a:f                      wait 150ms
   6s  a:f                      recover: kill a0
   7s                           deploy: launch a0
   8s  a:f                      wait 1.32s
   9s  a:f                      wait 320ms
  10s  a:f                      recover: kill a0
  11s                           deploy: launch a0
  12s  a:f                      wait 1.52s
  13s  a:f                      wait 520ms
  14s  a:f                      recover: kill a0
  15s                           deploy: launch a0
  16s  a:f                      wait 1.75s
  17s  a:f                      wait 750ms
  18s  a:f                      recover: kill a0
  19s                           deploy: launch a0
  20s  a:f                      wait 2.01s
  21s  a:f                      wait 1.01s
  22s  a:f                      wait 10ms
  23s  a:f                      recover: kill a0
  24s                           deploy: launch a0

in the end: a:f
