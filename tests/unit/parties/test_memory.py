"""Memory is kept from vector to vector and given back when asked; in a process of its own, as it is set for good."""

import subprocess
import sys

PROGRAM = """
import resource
import numpy as np
from consortia.parties.memory import keep_memory, return_memory

def faults_of_ten_vectors():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(250_000, np.uint64).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

keep_memory()
vectors = [np.ones(250_000, np.uint64) for _ in range(50)]
del vectors
kept, faults = resident(), faults_of_ten_vectors()
return_memory()
print(faults, kept - resident())
"""


def test_vectors_use_the_memory_of_those_before_until_it_is_returned() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    faults, returned = map(int, done.stdout.split())
    assert faults < 100  # ten vectors of 2 MB have 4,880 pages
    assert returned > 90_000_000
