"""The questions: which ones there are, and what the folder of each contains."""

from knock.questions.registry import Question, all_questions, find

__all__ = ["Question", "all_questions", "find"]
