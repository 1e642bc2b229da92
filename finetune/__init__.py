"""finetune: from a recommendation to a trained adapter.

    spec ─► rows ─► dataset ─► findings, preview ─► memory ─► stack ─► launch ─► evaluate ─► hand over
    (what)  (read)  (ids)      (may it start?)      (fits?)   (native config)    (one judge)

Nothing heavy is imported at the top of a file; models are loaded in processes of their own alone.
"""
