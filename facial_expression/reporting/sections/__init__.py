"""The sections of the page, in its order: a module and a template each.

A module has a ``TITLE``, a ``QUESTION`` that the section answers, and a function ``content`` of the evidence that
returns figures and facts by name; the template of the same name in ``templates/sections/`` shows them.
"""

from facial_expression.reporting.sections import (
    attention,
    certainty,
    confidence,
    data,
    groups,
    labels,
    leaks,
    mistakes,
    networks,
    results,
    robustness,
    training,
)

SECTIONS = (
    data,
    networks,
    training,
    results,
    certainty,
    leaks,
    labels,
    confidence,
    attention,
    robustness,
    groups,
    mistakes,
)
