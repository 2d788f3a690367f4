"""The subcommands: each module has ``add_arguments(parser)`` and ``run(arguments)``.

This is the only place where several stages may be imported together.
"""
