"""The questions: which there are, and what is in the folder of one."""

from knock.questions.registry import Question, all_questions, find

__all__ = ["Question", "all_questions", "find"]
