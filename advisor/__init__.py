"""advisor: which library should I build on, and how do you know?"""
