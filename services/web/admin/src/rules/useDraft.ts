import { useState } from 'react';
import type { RoutingRevision } from '../types';
import { drafted, isChanged, NO_DRAFT, type Draft } from './draft';
import { readRules } from './rules';

/** Edits the rules. While there is something unsaved they stay those that it was begun with, whatever others save. */
export function useDraft(current: RoutingRevision) {
  const [draft, setDraft] = useState(NO_DRAFT);
  const [begun, setBegun] = useState<RoutingRevision>();
  const base = begun ?? current;
  const dirty = isChanged(base.document!, draft);
  const discard = () => {
    setDraft(NO_DRAFT);
    setBegun(undefined);
  };
  return {
    base,
    draft,
    dirty,
    document: drafted(base.document!, draft),
    change: (changed: Draft) => {
      setBegun(base);
      setDraft(changed);
    },
    discard,
    reload: async (keep: boolean) => {
      const theirs = await readRules();
      if (!keep) setDraft(NO_DRAFT);
      setBegun(theirs);
    },
  };
}
