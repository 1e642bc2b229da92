"""finetune: from a recommendation to a trained adapter. Nothing is here yet; see CHANGELOG.md."""
