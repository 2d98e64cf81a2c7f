# the canary crashes: the old ones stay
# 3 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 1}: at least 3 healthy, at most 6 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HHH                    upgrade: launch b0
   1s  a:HHH b:f                wait 1s
   2s  a:HHH b:f                recover: kill b0
   3s  a:HHH                    upgrade: launch b0
   4s  a:HHH b:f                wait 1.15s
   5s  a:HHH b:f                wait 150ms
   6s  a:HHH b:f                recover: kill b0
   7s  a:HHH                    upgrade: launch b0
   8s  a:HHH b:f                wait 1.32s
   9s  a:HHH b:f                wait 320ms
  10s  a:HHH b:f                recover: kill b0
  11s  a:HHH                    upgrade: launch b0
  12s  a:HHH b:f                wait 1.52s
  13s  a:HHH b:f                wait 520ms
  14s  a:HHH b:f                recover: kill b0
  15s  a:HHH                    upgrade: launch b0
  16s  a:HHH b:f                wait 1.75s
  17s  a:HHH b:f                wait 750ms
  18s  a:HHH b:f                recover: kill b0
  19s  a:HHH                    upgrade: launch b0
  20s  a:HHH b:f                wait 2.01s
  21s  a:HHH b:f                wait 1.01s
  22s  a:HHH b:f                wait 10ms
  23s  a:HHH b:f                recover: kill b0
  24s  a:HHH                    upgrade: launch b0

in the end: a:HHH b:f
