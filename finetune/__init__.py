"""finetune: from a recommendation to a trained adapter.

    spec ─► rows ─► dataset ─► findings, preview ─► memory ─► stack ─► process ─► after
    (what)  (read)  (ids)      (may it start?)      (fits?)   (native config)     (evaluate, merge, export)

No module imports heavy packages at its top; only processes of their own load models.
"""
