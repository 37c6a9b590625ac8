import { Button, Group, Modal, Progress, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { api, CopyText, describe, exactCount, Notice } from '@llm-platform/shared';
import { ShieldCheck } from 'lucide-react';
import { useRef, useState } from 'react';
import type { AuditVerification } from '../types';

/** Checks the chain of the whole log, stretch by stretch. */
export function Verify() {
  const [opened, setOpened] = useState(false);
  const [checked, setChecked] = useState('0');
  const stopped = useRef(false);
  const verify = useMutation({
    mutationFn: async () => {
      let answer: AuditVerification = { checked_to: '0', hash: '', end: false, broken: '0', reason: '' };
      stopped.current = false;
      do {
        const { checked_to: after, hash } = answer;
        answer = await api.post<AuditVerification>('/api/audit:verify', { after, hash });
        setChecked(answer.checked_to);
      } while (!answer.end && answer.broken === '0' && !stopped.current);
      return answer;
    },
    meta: { shown: true },
  });
  const begin = () => {
    setOpened(true);
    setChecked('0');
    verify.mutate();
  };
  const close = () => {
    stopped.current = true;
    setOpened(false);
  };
  return (
    <>
      <Button variant="default" leftSection={<ShieldCheck size={16} />} onClick={begin}>
        Verify
      </Button>
      <Modal opened={opened} onClose={close} title={<Text fw={600}>Is the log as it was written?</Text>}>
        <Stack>
          {verify.isPending && (
            <>
              <Text className="numeric">{exactCount(checked)} entries checked so far …</Text>
              <Progress value={100} animated aria-label="Checking" />
            </>
          )}
          {verify.error && <Notice kind="error">{describe(verify.error)}</Notice>}
          {verify.data && <Verified result={verify.data} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {verify.isPending ? 'Stop' : 'Close'}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

function Verified({ result }: { result: AuditVerification }) {
  if (result.broken !== '0')
    return (
      <Notice kind="error" title={`Entry ${result.broken} is not as it was written`}>
        {result.reason}
      </Notice>
    );
  const known = `${result.checked_to}:${result.hash}`;
  return (
    <>
      <Notice kind="success" title="Nothing was changed, added, moved or removed">
        All {exactCount(result.checked_to)} entries are as they were written.
      </Notice>
      <Text size="sm" c="dimmed" component="div">
        Keep this in another place; a later check can be held against it:{' '}
        <CopyText value={known} shown={`${result.checked_to}:${result.hash.slice(0, 12)}…`} />
      </Text>
    </>
  );
}
