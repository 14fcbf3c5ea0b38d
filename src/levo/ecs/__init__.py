"""The ECS installer: ``model`` is the container, ``plan`` decides, ``apply`` and ``watch`` act, ``run`` does
all of it.

Only ``api`` calls AWS, and only the ten actions of ``policy``. Everything else takes values.
"""
