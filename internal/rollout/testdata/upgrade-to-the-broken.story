# the new configuration crashes: the old keeps its minimum, launches are delayed more and more
# 2 instances, {minimumHealthCapacity: 1, maximumOverCapacity: 0.5}: at least 2 healthy, at most 3 at once
# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost

   0s  a:HH                     upgrade: launch b0
   1s  a:HH b:f                 wait 1s
   2s  a:HH b:f                 recover: kill b0
   3s  a:HH                     upgrade: launch b0
   4s  a:HH b:f                 wait 1.15s
   5s  a:HH b:f                 wait 150ms
   6s  a:HH b:f                 recover: kill b0
   7s  a:HH                     upgrade: launch b0
   8s  a:HH b:f                 wait 1.32s
   9s  a:HH b:f                 wait 320ms
  10s  a:HH b:f                 recover: kill b0
  11s  a:HH                     upgrade: launch b0
  12s  a:HH b:f                 wait 1.52s
  13s  a:HH b:f                 wait 520ms
  14s  a:HH b:f                 recover: kill b0
  15s  a:HH                     upgrade: launch b0
  16s  a:HH b:f                 wait 1.75s
  17s  a:HH b:f                 wait 750ms
  18s  a:HH b:f                 recover: kill b0
  19s  a:HH                     upgrade: launch b0
  20s  a:HH b:f                 wait 2.01s
  21s  a:HH b:f                 wait 1.01s
  22s  a:HH b:f                 wait 10ms
  23s  a:HH b:f                 recover: kill b0
  24s  a:HH                     upgrade: launch b0

in the end: a:HH b:f
