"""Scripts that run inside a stack's environment, where neither advisor nor finetune is installed.

They are started by path and import one another by bare module name. They use only the standard library and
their stack. `emit` defines the events that all of them write.
"""
