"""The engine of three to nine computers, of which fewer than half may collude: Shamir's sharing, MPyC underneath.

Numbers are shared over a prime field with MPyC's field, sharing and pseudorandom functions; bits over GF(16), whose
addition is the exclusive or, so that everything that is local on ring3 is local here. In production each computer runs
MPyC in a process of its own, and its messages go over mutual TLS (``runtime``); tests and simulation use any channel.
"""
