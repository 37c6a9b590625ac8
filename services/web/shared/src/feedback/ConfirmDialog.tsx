import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { describe } from '../api/problem';
import type { Question } from './dialogs';
import { Notice } from './Notice';

export function ConfirmDialog({ question, onClose }: { question: Question; onClose: () => void }) {
  const { title, message, action, phrase, onConfirm } = question;
  const [typed, setTyped] = useState('');
  const doing = useMutation({ mutationFn: onConfirm, onSuccess: onClose, meta: { shown: true } });
  return (
    <Modal opened onClose={onClose} title={<Text fw={600}>{title}</Text>} size="md">
      <form
        onSubmit={event => {
          event.preventDefault();
          doing.mutate();
        }}
      >
        <Stack>
          <Text component="div">{message}</Text>
          {phrase && (
            <TextInput
              label={
                <>
                  Type <strong>{phrase}</strong> to confirm
                </>
              }
              value={typed}
              onChange={event => setTyped(event.currentTarget.value)}
              autoComplete="off"
              data-autofocus
            />
          )}
          {doing.error && <Notice kind="error">{describe(doing.error)}</Notice>}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose} data-autofocus={phrase ? undefined : true}>
              Cancel
            </Button>
            <Button
              type="submit"
              color="red.8"
              loading={doing.isPending}
              disabled={!!phrase && typed !== phrase}
            >
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
