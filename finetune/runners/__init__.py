"""Scripts that run inside a stack's environment, where neither advisor nor finetune is installed.

They are started by path and import one another as neighbours; they know the standard library and
their stack. `emit` is the vocabulary of events that all of them share.
"""
