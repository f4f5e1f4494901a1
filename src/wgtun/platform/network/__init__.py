"""Addresses, routes and DNS of a tunnel: from the wish to what is asked of the system.

`wish.py` says what a tunnel is to have. Every system's `network.py` turns it, and what is known of the system, into a
plan; that is pure, so a plan for any system is made, printed and tested on every other. `perform.py` carries one out.
Each system's `Present` has defaults for what can't be known elsewhere.
"""
