import { Button } from '@mantine/core';
import { Pencil, Trash2 } from 'lucide-react';

interface EditDeleteProps {
  /** Unset: one may not. */
  onEdit: (() => void) | undefined;
  onDelete: (() => void) | undefined;
}

/** What can be done with the one thing that a page is about. */
export function EditDelete({ onEdit, onDelete }: EditDeleteProps) {
  return (
    <>
      {onDelete && (
        <Button variant="default" leftSection={<Trash2 size={16} />} onClick={onDelete}>
          Delete
        </Button>
      )}
      {onEdit && (
        <Button leftSection={<Pencil size={16} />} onClick={onEdit}>
          Edit
        </Button>
      )}
    </>
  );
}
