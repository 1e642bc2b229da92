"""finetune: from a recommendation to a trained adapter.

    spec ─► rows ─► dataset ─► findings, preview ─► memory ─► stack ─► launch ─► evaluate ─► hand over
    (what)  (read)  (ids)      (may it start?)      (fits?)   (native config)    (one judge)

Nothing heavy is imported here: torch is met only in processes of their own and in `evaluate`.
"""
